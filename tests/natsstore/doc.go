// Package natsstore tests natsstore on real NATS servers, in this process and in processes of their own.
// It has no code to import.
package natsstore
