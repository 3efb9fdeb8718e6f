"""Custom resource → controller → RayService → KubeRay → Serve → request: all of it real, but for nodes."""
