// Package settings reads the file of a project's settings, finwait.yaml. What its
// keys mean is up to whoever reads it, besides what is known to fail.
package settings
