//go:build tools

package main

// What else is built out of this module.
import _ "k8s.io/kubernetes/cmd/kubectl"
