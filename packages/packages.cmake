# What `cmake --install` puts where, and the two Debian packages that CPack makes of it: breakwater, and breakwater-jit, which brings
# LLVM. Both are made on the release that they are for; scripts/packages does so in a clean root.
include(GNUInstallDirs)

# systemd 252 (Debian 12) knows no notify-reload, and 257 (Debian 13) does: a package is made on the release that it is for.
set(debian 12)
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release debian REGEX "^VERSION_ID=")
  string(REGEX REPLACE "[^0-9]" "" debian "${debian}")
endif()
if(debian VERSION_GREATER_EQUAL 13)
  set(SERVICE_TYPE notify-reload)
  set(SERVICE_RELOAD "")
else()
  set(SERVICE_TYPE notify)
  set(SERVICE_RELOAD "ExecReload=/usr/bin/breakwater reload")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/breakwater.service.in ${CMAKE_BINARY_DIR}/packages/breakwater.service @ONLY)

add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/packages/breakwater.1 ${CMAKE_BINARY_DIR}/packages/breakwater.bash
         ${CMAKE_BINARY_DIR}/packages/_breakwater ${CMAKE_BINARY_DIR}/packages/breakwater.fish
  COMMAND breakwater man > ${CMAKE_BINARY_DIR}/packages/breakwater.1
  COMMAND breakwater completion bash > ${CMAKE_BINARY_DIR}/packages/breakwater.bash
  COMMAND breakwater completion zsh > ${CMAKE_BINARY_DIR}/packages/_breakwater
  COMMAND breakwater completion fish > ${CMAKE_BINARY_DIR}/packages/breakwater.fish
  DEPENDS breakwater VERBATIM)
add_custom_target(package_texts DEPENDS ${CMAKE_BINARY_DIR}/packages/breakwater.1)

# What is linked in, and how: an SPDX document. Name, version, licence, STATIC_LINK or DYNAMIC_LINK.
set(linked
  llhttp "${LLHTTP_VERSION}" MIT STATIC_LINK                 re2 "${RE2_VERSION}" BSD-3-Clause STATIC_LINK
  yaml-cpp "${yaml-cpp_VERSION}" MIT STATIC_LINK             antlr4-runtime "" BSD-3-Clause STATIC_LINK
  nlohmann-json "${nlohmann_json_VERSION}" MIT STATIC_LINK   cli11 "" BSD-3-Clause STATIC_LINK
  libuv "${UV_VERSION}" MIT DYNAMIC_LINK                     openssl "" Apache-2.0 DYNAMIC_LINK
  simdjson "${SIMDJSON_VERSION}" Apache-2.0 DYNAMIC_LINK     zstd "${ZSTD_VERSION}" BSD-3-Clause DYNAMIC_LINK
  zlib "" Zlib DYNAMIC_LINK                                  llvm "" "Apache-2.0 WITH LLVM-exception" DYNAMIC_LINK)
set(BREAKWATER_LINKED "")
while(linked)
  list(POP_FRONT linked name version licence how)
  string(APPEND BREAKWATER_LINKED "\nPackageName: ${name}\nSPDXID: SPDXRef-${name}\n")
  if(version)
    string(APPEND BREAKWATER_LINKED "PackageVersion: ${version}\n")
  endif()
  string(APPEND BREAKWATER_LINKED "PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\nPackageLicenseConcluded: ${licence}\n"
    "PackageLicenseDeclared: ${licence}\nPackageCopyrightText: NOASSERTION\nRelationship: SPDXRef-breakwater ${how} SPDXRef-${name}\n")
endwhile()
set(BREAKWATER_LICENSE Apache-2.0)
string(TIMESTAMP BREAKWATER_BUILT "%Y-%m-%dT%H:%M:%SZ" UTC)
configure_file(${CMAKE_CURRENT_LIST_DIR}/linked.spdx.in ${CMAKE_BINARY_DIR}/packages/breakwater.spdx @ONLY)

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME breakwater)
install(TARGETS breakwater RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT breakwater)
install(TARGETS breakwater_jit LIBRARY DESTINATION lib/breakwater COMPONENT jit)
install(FILES ${CMAKE_BINARY_DIR}/packages/breakwater.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_BINARY_DIR}/packages/breakwater.bash DESTINATION share/bash-completion/completions RENAME breakwater)
install(FILES ${CMAKE_BINARY_DIR}/packages/_breakwater DESTINATION share/zsh/vendor-completions)
install(FILES ${CMAKE_BINARY_DIR}/packages/breakwater.fish DESTINATION share/fish/vendor_completions.d)
install(FILES ${CMAKE_BINARY_DIR}/packages/breakwater.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/sysusers.conf DESTINATION lib/sysusers.d RENAME breakwater.conf)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/gateway.policy DESTINATION /etc/breakwater)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/default DESTINATION /etc/default RENAME breakwater PERMISSIONS OWNER_READ OWNER_WRITE)
install(FILES ${PROJECT_SOURCE_DIR}/docs/language.md ${PROJECT_SOURCE_DIR}/docs/operations.md ${PROJECT_SOURCE_DIR}/SECURITY.md
              ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION share/doc/breakwater)
install(FILES ${CMAKE_BINARY_DIR}/packages/breakwater.spdx DESTINATION share/doc/breakwater)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/breakwater RENAME copyright)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/dashboards ${PROJECT_SOURCE_DIR}/alerts DESTINATION share/breakwater
        FILES_MATCHING PATTERN "*.json" PATTERN "*.yml")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/policies/ DESTINATION share/doc/breakwater/examples FILES_MATCHING PATTERN "*.policy")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME breakwater)
set(CPACK_PACKAGE_CONTACT "Breakwater maintainers <maintainers@breakwater.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "resilience gateway for model servers, driven by policy files")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL breakwater jit)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_BREAKWATER_PACKAGE_NAME breakwater)
set(CPACK_DEBIAN_BREAKWATER_PACKAGE_DEPENDS "adduser | systemd")
set(CPACK_DEBIAN_BREAKWATER_PACKAGE_RECOMMENDS "breakwater-jit (= ${PROJECT_VERSION}), ca-certificates")
set(CPACK_DEBIAN_BREAKWATER_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_LIST_DIR}/postinst;${CMAKE_CURRENT_LIST_DIR}/prerm;${CMAKE_CURRENT_LIST_DIR}/postrm;${CMAKE_CURRENT_LIST_DIR}/conffiles")
set(CPACK_DEBIAN_JIT_PACKAGE_NAME breakwater-jit)
set(CPACK_COMPONENT_JIT_DESCRIPTION "machine code for the policies of breakwater (brings LLVM)")
include(CPack)

# What is shipped is held to what it promises.
add_test(NAME shipped_gateway_policies
         COMMAND breakwater check --deny warnings ${CMAKE_CURRENT_LIST_DIR}/gateway.policy ${PROJECT_SOURCE_DIR}/deploy/gateway.policy)
set_tests_properties(shipped_gateway_policies PROPERTIES LABELS unit)
find_program(SYSTEMD_ANALYZE systemd-analyze)
if(SYSTEMD_ANALYZE)
  # In tenths: 15 is what the unit comes to, most of it because a gateway needs the network.
  add_test(NAME unit_exposure
           COMMAND ${SYSTEMD_ANALYZE} security --offline=true --no-pager --threshold=15 ${CMAKE_BINARY_DIR}/packages/breakwater.service)
  set_tests_properties(unit_exposure PROPERTIES LABELS unit)
endif()
