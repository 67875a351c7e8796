// Package jsontext walks over JSON text that is known to be valid: the members of an
// object as they stand, and values of type any, without decoding what nobody reads.
package jsontext
