// Package settings reads a project's file of settings, finwait.yaml. It interprets the known
// failures and the weights of rules. The caller interprets the other keys.
package settings
