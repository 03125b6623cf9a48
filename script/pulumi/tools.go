//go:build tools

// Package tools names what is built here: the Pulumi CLI, for tests that drive its engine.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
