// Package clone copies and compares values of an application's data type, and says what
// in a type or a value would change when it is stored and loaded.
//
// A Copier is compiled from the type once. Its copies share nothing with the original, so
// that a handler can change its own and no other request's. It is the only package that
// uses unsafe to compare.
package clone
