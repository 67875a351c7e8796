package faults

const childMode = "NESTSESSION_FAULTS_TEST"

func serveChild(string) int { return 0 }
