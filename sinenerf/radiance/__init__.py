"""A scene as a field: networks, cameras, volume rendering, surfaces and scores. Never imports nerfstudio."""
