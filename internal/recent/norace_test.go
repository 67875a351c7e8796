//go:build !race

package recent

const raceEnabled = false
