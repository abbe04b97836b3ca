"""The chart and the mesh on a real control plane: any cluster that MESH_TEST_KUBECONFIG names."""
