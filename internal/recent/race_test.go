//go:build race

package recent

const raceEnabled = true
