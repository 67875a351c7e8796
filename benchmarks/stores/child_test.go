package stores

func serveIfChild() bool { return false }
