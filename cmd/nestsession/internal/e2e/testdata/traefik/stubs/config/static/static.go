package static

import "github.com/traefik/traefik/v3/pkg/observability/types"

type Tracing struct {
	ServiceName             string
	ResourceAttributes      map[string]string
	CapturedRequestHeaders  []string
	CapturedResponseHeaders []string
	SafeQueryParams         []string
	SampleRate              float64
	OTLP                    *types.OTelTracing
}
