# The source tree is used as a part of another project, which gets the library and nothing else.

include(${CMAKE_CURRENT_LIST_DIR}/steps.cmake)
run(output ${configure} -S ${CMAKE_CURRENT_LIST_DIR}/add_subdirectory -B ${BUILD} -DTRINE=${PROJECT}
    "-DCOMPONENTS=${COMPONENTS}")
run(output ${CMAKE_COMMAND} --build ${BUILD})
run_consumer(${BUILD}/consumer)

# Nothing of the library is installed with the other project.
run(output ${CMAKE_COMMAND} --install ${BUILD} --prefix ${BUILD}/prefix)
if(EXISTS ${BUILD}/prefix/include)
  message(FATAL_ERROR "the headers were installed with a project that did not ask for them")
endif()
