// Package linear checks that a store is linearizable.
package linear
