package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's own numbers, in a registry of its own. No label holds anything a
// caller chose, so the number of series is fixed and they tell nothing of keys or principals.
type metrics struct {
	registry *prometheus.Registry
	handler  http.Handler

	// requests by the first digit of the status; index 0 is unused.
	requests        [6]prometheus.Counter
	duration        prometheus.Histogram
	inFlight        prometheus.Gauge
	panics          prometheus.Counter
	connErrors      prometheus.Counter
	failedProofs    prometheus.Counter
	refusedPath     prometheus.Counter
	refusedLocked   prometheus.Counter
	refusedFlood    prometheus.Counter
	refusedBody     prometheus.Counter
	unsealAttempts  prometheus.Counter
	unsealRefused   prometheus.Counter
	unsealThrottled prometheus.Counter
}

func newMetrics(source certificateSource, guard *floodGuard) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})

	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haven_http_requests_total", Help: "Requests answered, by class of status.",
	}, []string{"class"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haven_http_refused_total", Help: "Requests refused before any handler, by reason.",
	}, []string{"reason"})
	unseal := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "haven_unseal_attempts_total", Help: "Attempts to unseal, by outcome.",
	}, []string{"outcome"})
	m.registry.MustRegister(requests, refused, unseal)
	for class := 1; class < len(m.requests); class++ {
		m.requests[class] = requests.WithLabelValues(fmt.Sprintf("%dxx", class))
	}
	m.refusedPath = refused.WithLabelValues("path")
	m.refusedLocked = refused.WithLabelValues("locked")
	m.refusedFlood = refused.WithLabelValues("flood")
	m.refusedBody = refused.WithLabelValues("body")
	m.unsealAttempts = unseal.WithLabelValues("tried")
	m.unsealRefused = unseal.WithLabelValues("refused")
	m.unsealThrottled = unseal.WithLabelValues("throttled")

	m.duration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "haven_http_request_duration_seconds", Help: "From the end of a request's header to the end of its answer.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "haven_http_requests_in_flight", Help: "Requests being answered now.",
	})
	m.panics = counter("haven_http_panics_total", "Handlers that panicked; each is a defect.")
	m.connErrors = counter("haven_connection_errors_total", "Failed handshakes, accepts and protocol errors.")
	m.failedProofs = counter("haven_http_failed_authentications_total", "Requests answered 401.")
	m.registry.MustRegister(m.duration, m.inFlight, m.panics, m.connErrors, m.failedProofs,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "haven_http_failing_addresses", Help: "Remote addresses remembered for failed authentications.",
		}, func() float64 { return float64(guard.perAddress.remembered()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "haven_tls_certificate_not_after_seconds", Help: "When the server certificate ends, in Unix time.",
		}, func() float64 { return notAfter(source) }),
	)
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func notAfter(source certificateSource) float64 {
	cert, err := source.certificate()
	if err != nil {
		return 0
	}
	return float64(cert.Leaf.NotAfter.Unix())
}

// answered counts one answer.
func (m *metrics) answered(status int, took time.Duration) {
	if class := status / 100; class > 0 && class < len(m.requests) {
		m.requests[class].Inc()
	}
	m.duration.Observe(took.Seconds())
}
