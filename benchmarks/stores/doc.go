// Package stores measures the stores side by side with scs's store for the same
// database and with express-session and @fastify/session and their stores, on servers that it starts. See
// README.md for how to run it and what it showed.
package stores
