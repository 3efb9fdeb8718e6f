//go:build tools

// Package main names what `go build` takes from the modules.
package main

import _ "sigs.k8s.io/kustomize/kustomize/v5"
