//go:build tools

// Package main names what `go build` takes from the modules.
package main

import _ "helm.sh/helm/v3/cmd/helm"
