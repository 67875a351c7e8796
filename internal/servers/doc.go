// Package servers starts real Redis, PostgreSQL and MariaDB servers for tests, as child
// processes on free loopback ports with their data in temporary folders.
//
// A server belongs to a test, which may kill, freeze and restart it as it likes, and
// ends with the test (StartRedis, StartRedisCluster, StartSentinel, StartPostgres,
// StartMariaDB). Or it is shared by the tests of a package, is started when the first
// of them asks for it and ended by [Main] (SharedRedis, SharedPostgres, SharedMariaDB);
// tests then keep apart by key prefixes and databases of their own.
//
// No server that runs on the machine already is ever used. A server whose program is
// missing fails the test, with what is to be installed. What a server logged last is
// printed if the test fails. Servers end when the process of the test ends, however that
// comes about, and folders that a killed test left behind are removed by the next one.
package servers
