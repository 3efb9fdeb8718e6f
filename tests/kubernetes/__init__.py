"""The whole path: custom resource → controller → RayService → Serve → request. Real but for KubeRay."""
