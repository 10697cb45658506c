# The installed package is found and used, with every component that this machine allows.

include(${CMAKE_CURRENT_LIST_DIR}/steps.cmake)
run(output ${configure} -S ${CMAKE_CURRENT_LIST_DIR}/find_package -B ${BUILD} -DCMAKE_PREFIX_PATH=${PREFIX}
    "-DCOMPONENTS=${COMPONENTS}")
run(output ${CMAKE_COMMAND} --build ${BUILD})
run_consumer(${BUILD}/consumer)
