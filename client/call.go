package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

// maxAnswer bounds an answer: a full batch of data keys with the longest contexts is well below.
const maxAnswer = 16 << 20

// operation is a route and whether it changes something.
type operation struct {
	name    string
	mutates bool
}

// call sends a request and decodes the answer, trying again what may pass. All tries carry the
// same bytes and, if the operation mutates, the same idempotency key, so that a try whose answer
// was lost is not done twice.
//
// Answers may have members this version does not know, but no name twice and no invalid UTF-8.
func call[Request, Answer any](ctx context.Context, c *Client, op operation, request Request) (*Answer, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("client: %s: encode the request: %w", op.name, err)
	}
	var idempotencyKey string
	if op.mutates {
		if idempotencyKey, err = c.newIdempotencyKey(); err != nil {
			return nil, err
		}
	}
	raw, err := c.sendRepeatedly(ctx, op, body, idempotencyKey)
	if err != nil {
		return nil, err
	}
	answer := new(Answer)
	if err := json.Unmarshal(raw, answer); err != nil {
		// Without the decoder's words, which may quote a plaintext.
		return nil, &Error{Operation: op.name, Code: UnexpectedAnswer, Status: http.StatusOK, Detail: "the answer is not the operation's JSON"}
	}
	return answer, nil
}

func (c *Client) newIdempotencyKey() (string, error) {
	var key [16]byte
	if _, err := io.ReadFull(c.random, key[:]); err != nil {
		return "", fmt.Errorf("client: randomness: %w", err)
	}
	return hex.EncodeToString(key[:]), nil
}

func (c *Client) sendRepeatedly(ctx context.Context, op operation, body []byte, idempotencyKey string, also ...func(http.Header)) ([]byte, error) {
	for try := 1; ; try++ {
		raw, failure := c.send(ctx, op.name, body, idempotencyKey, also...)
		if failure == nil {
			c.budget.succeeded()
			return raw, nil
		}
		if ctx.Err() != nil {
			return nil, failure
		}
		pause, again, err := c.pauseBefore(try, failure)
		if err != nil {
			return nil, errors.Join(failure, err)
		}
		if !again {
			return nil, failure
		}
		if err := c.wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("%w while waiting to try again after: %w", err, failure)
		}
	}
}

// send sends a request once and returns the body of a 200.
func (c *Client) send(ctx context.Context, name string, body []byte, idempotencyKey string, also ...func(http.Header)) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/v1/"+name, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", name, err)
	}
	// Without it net/http cannot send the body again by itself, beside the budget.
	request.GetBody = nil
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+string(c.token))
	}
	request.Header.Set("Content-Type", "application/json")
	if idempotencyKey != "" {
		request.Header.Set("Idempotency-Key", idempotencyKey)
	}
	for _, f := range also {
		f(request.Header)
	}
	if c.signer != nil {
		if err := c.signer.sign(request, body); err != nil {
			return nil, fmt.Errorf("client: %s: sign the request: %w", name, err)
		}
	}
	request.Header.Set("User-Agent", "haven-go")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", name, err)
	}
	defer answer.Body.Close()
	raw, err := readAnswer(answer)
	if err != nil {
		return nil, fmt.Errorf("client: %s: read the answer: %w", name, err)
	}
	if len(raw) > maxAnswer {
		return nil, &Error{Operation: name, Code: UnexpectedAnswer, Status: answer.StatusCode, Detail: "the answer is over 16 MiB"}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, readError(name, answer, raw)
	}
	return raw, nil
}

// readAnswer reads one byte more than allowed at most, so that too long shows. Room is made for
// what is announced, as far as that is plausible, and no more.
func readAnswer(answer *http.Response) ([]byte, error) {
	const plausible = 64 << 10
	room := min(max(answer.ContentLength, 0), plausible)
	buffer := bytes.NewBuffer(make([]byte, 0, room+bytes.MinRead))
	_, err := buffer.ReadFrom(io.LimitReader(answer.Body, maxAnswer+1))
	return buffer.Bytes(), err
}
