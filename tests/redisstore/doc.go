// Package redisstore tests redisstore on real Redis servers, by themselves, with Sentinel and as a Cluster.
// It has no code to import.
package redisstore
