# The optional parts. trine::trine needs the standard library and threads alone; a component is trine::trine together
# with the package that more of its headers need. Read by the project itself and by the installed package.

set(trine_components processes codec)
set(trine_processes_needs "the headers of Boost (a find_package(Boost CONFIG) that gives Boost::headers)")
set(trine_codec_needs "cereal (a find_package(cereal CONFIG) that gives cereal::cereal)")

# Defines trine::<component> if what it needs is found. `scope` is empty, or GLOBAL for a target that the directories
# above see too. A function, so that the variables that find_package sets stay here.
function(trine_add_component component scope)
  if(TARGET trine::${component})
    return()
  elseif(component STREQUAL "processes")
    find_package(Boost QUIET CONFIG)
    set(package Boost::headers)
  elseif(component STREQUAL "codec")
    find_package(cereal QUIET CONFIG)
    set(package cereal::cereal)
  endif()
  if(TARGET "${package}")
    add_library(trine::${component} INTERFACE IMPORTED ${scope})
    target_link_libraries(trine::${component} INTERFACE trine::trine ${package})
  endif()
endfunction()
