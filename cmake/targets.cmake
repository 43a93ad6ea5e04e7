# What all our targets share. Usage requirements of the library itself stay on the target `stillpoint`.

function(stillpoint_defaults target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
  # What a newer compiler warns of must not keep anybody from building: GCC 14 finds -Warray-bounds, falsely, in
  # LibTorch's Function::apply.
  if(STILLPOINT_WARNINGS_AS_ERRORS AND CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# A precompiled torch/torch.h, made once and shared by programs: tests, examples, benchmarks, applications.
function(stillpoint_program_pch target)
  if(NOT STILLPOINT_PCH)
    return()
  endif()
  if(NOT TARGET stillpoint_program_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/program_pch.cpp "int main() {}\n")
    add_executable(stillpoint_program_pch EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/program_pch.cpp)
    stillpoint_defaults(stillpoint_program_pch)
    target_link_libraries(stillpoint_program_pch PRIVATE stillpoint)
    target_precompile_headers(stillpoint_program_pch PRIVATE <torch/torch.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM stillpoint_program_pch)
endfunction()

# An executable of ours that uses the library.
function(stillpoint_program target)
  add_executable(${target} ${ARGN})
  stillpoint_defaults(${target})
  target_link_libraries(${target} PRIVATE stillpoint)
  stillpoint_program_pch(${target})
endfunction()
