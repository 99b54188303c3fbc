package benchmark

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measurement is one line of the report in the making.
type measurement struct {
	server, operation string
	size, concurrency int
	items             int // operations of one request
	request           []byte
	samples           []sample // one a round
}

func (m *measurement) String() string {
	return fmt.Sprintf("%-8s %-18s %5d B  × %d", m.server, m.operation, m.size, m.concurrency)
}

// sample is what one round gave. Times are in microseconds; all but the latencies are per
// operation.
type sample struct {
	Rate   float64 `json:"per_second"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	CPU    float64 `json:"cpu_us"`
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
}

// makePlan lists the measurements in their order.
func (b *bench) makePlan() error {
	haven := b.servers[Haven].client
	for _, size := range b.cfg.Sizes {
		ciphertext, err := haven.answer(opEncrypt, encryptBody(haven.Key, size), "ciphertext")
		if err != nil {
			return err
		}
		signature, err := haven.answer(opSign, signBody(haven.Signer, size), "signature")
		if err != nil {
			return err
		}
		for _, n := range b.cfg.Concurrency {
			add := func(server, operation string, items int, body string) {
				b.plan = append(b.plan, &measurement{
					server: server, operation: operation, size: size, concurrency: n, items: items,
					request: b.servers[server].client.request(operation, body),
				})
			}
			for _, kind := range []string{Bare, Durable, Haven} {
				add(kind, opEncrypt, 1, encryptBody(b.servers[kind].Key, size))
			}
			if size == b.cfg.Sizes[0] {
				add(Haven, opSign, 1, signBody(haven.Signer, size))
				add(Haven, opVerify, 1, fmt.Sprintf(`{"signature":%q,%s`, signature, signBody(haven.Signer, size)[1:]))
			}
			add(Haven, opDecrypt, 1, fmt.Sprintf(`{"ciphertext":%q}`, ciphertext))
			if size == b.cfg.Sizes[0] {
				add(Haven, opDataKey, 1, fmt.Sprintf(`{"key":%q,"bytes":32}`, haven.Key))
			}
			add(Haven, opBatch, batchItems, batchBody(haven.Key, size))
			if size == b.cfg.Sizes[0] && n == createConcurrency {
				add(Haven, opCreate, 1, `{"purpose":"Patient data encryption","type":"data"}`)
			}
		}
	}
	return nil
}

// createConcurrency is where making keys is measured.
const createConcurrency = 16

func encryptBody(key string, size int) string {
	return fmt.Sprintf(`{"key":%q,"plaintext":%q}`, key, encoded(size))
}

func signBody(key string, size int) string {
	return fmt.Sprintf(`{"key":%q,"message":%q}`, key, encoded(size))
}

func batchBody(key string, size int) string {
	item := `{"op":"encrypt",` + encryptBody(key, size)[1:]
	return `{"items":[` + strings.Repeat(item+",", batchItems-1) + item + `]}`
}

// measure takes one measurement once.
func (b *bench) measure(m *measurement, round int) (sample, error) {
	server := b.servers[m.server]
	next := func(int) []byte { return m.request }
	if _, err := server.client.load(m.concurrency, b.cfg.Cell/10, next); err != nil { // warm up
		return sample{}, err
	}
	command, after := "usage", "usage"
	if b.cfg.Profile != "" && round == 0 && m.server == Haven {
		name := filepath.Join(b.cfg.Profile, fmt.Sprintf("%s-%d-%d", m.operation, m.size, m.concurrency))
		command, after = "profile "+name+".cpu", "profile-end "+name+".allocs"
	}
	before, err := server.ask(command)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	took, err := server.client.load(m.concurrency, b.cfg.Cell, next)
	lasted := time.Since(began)
	if err != nil {
		return sample{}, err
	}
	now, err := server.ask(after)
	if err != nil {
		return sample{}, err
	}
	return newSample(took, lasted, m.items, before, now), nil
}

func newSample(took []time.Duration, lasted time.Duration, items int, before, after usage) sample {
	slices.Sort(took)
	n := float64(len(took) * items)
	return sample{
		Rate: n / lasted.Seconds(),
		P50:  microseconds(took[len(took)/2]), P99: microseconds(took[len(took)*99/100]),
		CPU:    microseconds(after.CPU-before.CPU) / n,
		Allocs: float64(after.Allocs-before.Allocs) / n, Bytes: float64(after.Bytes-before.Bytes) / n,
	}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
