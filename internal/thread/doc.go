// Package thread runs functions on threads whose network namespace they may change.
package thread
