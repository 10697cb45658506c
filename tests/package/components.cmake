# Without a component the installed package needs nothing else; one that lacks its package, or that does not exist, is
# refused with a message that says so.

include(${CMAKE_CURRENT_LIST_DIR}/steps.cmake)
list(APPEND configure -S ${CMAKE_CURRENT_LIST_DIR}/find_package -DCMAKE_PREFIX_PATH=${PREFIX}
     -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON -DCMAKE_DISABLE_FIND_PACKAGE_cereal=ON)

function(must_be_refused component expected)
  execute_process(
    COMMAND ${configure} -B ${BUILD}/${component} -DCOMPONENTS=${component}
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text
  )
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(code EQUAL 0)
    message(FATAL_ERROR "the component ${component} was found")
  elseif(NOT text MATCHES "${expected}")
    message(FATAL_ERROR "the component ${component} is refused without saying `${expected}`:\n${text}")
  endif()
endfunction()

run(output ${configure} -B ${BUILD}/none)
must_be_refused(processes "trine's component \"processes\" needs the headers of Boost .* not found")
must_be_refused(codec "trine's component \"codec\" needs cereal .* not found")
must_be_refused(teleport "trine has no component \"teleport\"")
