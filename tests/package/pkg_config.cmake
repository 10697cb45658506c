# A program is compiled with what pkg-config says of the installed package.

include(${CMAKE_CURRENT_LIST_DIR}/steps.cmake)
if(NOT PKG_CONFIG)
  message("skipped: pkg-config is not installed")
  return()
endif()

file(GLOB_RECURSE found ${PREFIX}/*/trine.pc)
cmake_path(GET found PARENT_PATH folder)
set(ENV{PKG_CONFIG_PATH} ${folder})
run(flags ${PKG_CONFIG} --cflags --libs trine)
separate_arguments(flags UNIX_COMMAND "${flags}")

file(MAKE_DIRECTORY ${BUILD})
run(output ${COMPILER} -std=c++20 ${CMAKE_CURRENT_LIST_DIR}/consumer.cpp -o ${BUILD}/consumer ${flags})
run_consumer(${BUILD}/consumer)
