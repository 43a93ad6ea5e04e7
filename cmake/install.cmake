include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Stillpoint)
install(TARGETS stillpoint EXPORT StillpointTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/stillpoint DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT StillpointTargets NAMESPACE Stillpoint:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/StillpointConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/StillpointConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/StillpointConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/StillpointConfig.cmake ${PROJECT_BINARY_DIR}/StillpointConfigVersion.cmake
        DESTINATION ${package_dir})
