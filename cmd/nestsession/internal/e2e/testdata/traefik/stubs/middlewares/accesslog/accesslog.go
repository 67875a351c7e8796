package accesslog

import "net/http"

const ClientUsername = "ClientUsername"

type LogData struct{ Core map[string]any }

func GetLogData(*http.Request) *LogData { return nil }
