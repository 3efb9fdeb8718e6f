//go:build tools

// Package main names what `go build` takes from the modules.
package main

import _ "github.com/ray-project/kuberay/ray-operator"
