# What the build takes from the machine: ccache and a fast linker when they are there, and the flags of a hardened program.
#
# Everything links into executables only, so code is compiled -fPIE, not -fPIC: GCC may then inline across functions of one
# file and reach globals directly, which -fPIC forbids.
find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(MILLRACE_LINKER NAMES ld.lld-19 ld.lld)
  set(linker lld-19)
else()
  find_program(MILLRACE_LINKER NAMES ld.mold mold)
  set(linker mold)
endif()
if(MILLRACE_LINKER)
  add_link_options(-fuse-ld=${linker})
endif()

add_compile_options(-fPIE)
add_link_options(-pie)

if(MILLRACE_HARDENING AND CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fcf-protection)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
