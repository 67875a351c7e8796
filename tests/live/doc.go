// Package live holds the tests in which Go and Node share sessions: on one store at
// the same time, with the stores that express-session applications run, and with a
// NestJS application. See README.md.
package live
