# A project that has Stillpoint's sources and says nothing of optimization gets an optimized library, and its own files
# as ever; one that says something gets what it says. Only configures.

# configure(NAME ARGS...): puts a command that compiles a file of the library into `library`, the consumer's into `own`.
function(configure name)
  file(REMOVE_RECURSE ${BINARY}/${name})
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY}/${name} -G ${GENERATOR}
                          -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON ${ARGN}
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${BINARY}/${name}/compile_commands.json commands)
  string(REGEX MATCH "[^\n]* -c [^\n]*/src/[^\n]*" library "${commands}")
  string(REGEX MATCH "[^\n]* -c [^\n]*consumer.cpp[^\n]*" own "${commands}")
  if(library STREQUAL "" OR own STREQUAL "")
    message(FATAL_ERROR "${name}: no commands in compile_commands.json")
  endif()
  set(library "${library}" PARENT_SCOPE)
  set(own "${own}" PARENT_SCOPE)
endfunction()

function(expect name commands pattern)
  if(NOT commands MATCHES "${pattern}")
    message(SEND_ERROR "${name}: expected \"${pattern}\" in: ${commands}")
  endif()
endfunction()

function(refuse name commands pattern)
  if(commands MATCHES "${pattern}")
    message(SEND_ERROR "${name}: did not expect \"${pattern}\" in: ${commands}")
  endif()
endfunction()

configure(silent)
expect(silent "${library}" " -O3 ")
refuse(silent "${own}" " -O")

configure(debug -DCMAKE_BUILD_TYPE=Debug)
expect(debug "${library}" " -g ")
refuse(debug "${library}" " -O")

configure(flags -DCMAKE_CXX_FLAGS=-O1)
expect(flags "${library}" " -O1 ")
refuse(flags "${library}" " -O3")
