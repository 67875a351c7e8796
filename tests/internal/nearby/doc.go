// Package nearby tests what a node reads through a near cache while another node writes: how old an
// answer is when the node's connection breaks, and how soon a change is read.
package nearby
