package metrics

import "go.opentelemetry.io/otel/semconv/v1.37.0/httpconv"

type SemConvMetricsRegistry struct{}

func (*SemConvMetricsRegistry) HTTPServerRequestDuration() (d httpconv.ServerRequestDuration) {
	return d
}
func (*SemConvMetricsRegistry) HTTPClientRequestDuration() (d httpconv.ClientRequestDuration) {
	return d
}
