# millrace_module(<name> [DEPENDS module...] [LIBS target...] [EXECUTABLE])
#
# One folder under src/ is one static library `millrace_<name>`. Files are found by their ending:
#   x.h x.cpp        the library          x_test.cpp   one gtest binary <name>_test per module
#   x_bench.cpp      <name>_bench         x_fuzz.cpp   one libFuzzer binary per file
# DEPENDS lists other modules; tools/check_layers.py holds the includes against the LAYERS file.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)

add_library(millrace_flags INTERFACE)
target_compile_options(millrace_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  $<$<BOOL:${MILLRACE_WERROR}>:-Werror>
  # GCC 12 sees overlapping copies in std::string where there are none (its bug 105329), and guesses about sizes and
  # initialisation when it optimises: told, but no error.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan -Wno-restrict>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
    -Wno-error=stringop-overread -Wno-error=array-bounds -Wno-error=dangling-pointer>
  # GCC's -Wconversion leaves signs alone in C++; both compilers shall say the same.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>
  -fno-omit-frame-pointer)
target_include_directories(millrace_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_link_libraries(millrace_flags INTERFACE Threads::Threads)

function(millrace_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBS;PRIVATE_LIBS;TEST_DEPENDS" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${dir}/*.h)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz)\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")

  set(lib millrace_${name})
  if(sources)
    add_library(${lib} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${lib} PRIVATE ${ARG_PRIVATE_LIBS})
  else()
    add_library(${lib} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(${lib} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${headers})
  target_link_libraries(${lib} ${scope} millrace_flags ${ARG_LIBS})
  foreach(dep IN LISTS ARG_DEPENDS)
    target_link_libraries(${lib} ${scope} millrace_${dep})
  endforeach()

  if(MILLRACE_TESTS AND tests)
    find_package(GTest REQUIRED)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${lib} GTest::gmock GTest::gtest_main)
    foreach(dep IN LISTS ARG_TEST_DEPENDS)
      target_link_libraries(${name}_test PRIVATE millrace_${dep})
    endforeach()
    target_compile_definitions(${name}_test PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 900)
  endif()
  if(MILLRACE_BENCHES AND benches)
    find_package(benchmark REQUIRED)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE ${lib} benchmark::benchmark_main)
  endif()
  # A fuzz target is a libFuzzer binary with clang; with any other build it is linked with a driver that replays files,
  # so that recorded inputs and found crashes are ordinary tests.
  foreach(fuzzer IN LISTS fuzzers)
    get_filename_component(fuzz_name ${fuzzer} NAME_WE)
    if(MILLRACE_FUZZERS)
      add_executable(${fuzz_name} ${fuzzer})
      target_link_libraries(${fuzz_name} PRIVATE ${lib} -fsanitize=fuzzer)
      add_test(NAME fuzz.${fuzz_name} COMMAND ${CMAKE_SOURCE_DIR}/tools/fuzz_one.sh $<TARGET_FILE:${fuzz_name}>)
      set_tests_properties(fuzz.${fuzz_name} PROPERTIES LABELS fuzz)
    elseif(MILLRACE_TESTS)
      add_executable(${fuzz_name} ${fuzzer} ${CMAKE_SOURCE_DIR}/cmake/fuzz_replay.cpp)
      target_link_libraries(${fuzz_name} PRIVATE ${lib})
      add_test(NAME fuzz_replay.${fuzz_name} COMMAND ${fuzz_name} ${CMAKE_SOURCE_DIR}/tests/corpus/${fuzz_name})
      set_tests_properties(fuzz_replay.${fuzz_name} PROPERTIES LABELS unit TIMEOUT 300)
    endif()
  endforeach()
endfunction()
