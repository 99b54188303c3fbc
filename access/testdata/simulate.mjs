// Answers simulations of IAM requests, one JSON a line on stdin, one a line on stdout, in order, with
// the simulator installed in the folder of the first argument.
import { createInterface } from 'node:readline'

const { runSimulation } = await import(`${process.argv[2]}/node_modules/@cloud-copilot/iam-simulate/dist/esm/index.js`)

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await runSimulation(JSON.parse(line), {})
  const result = answer.resultType === 'error'
    ? { error: JSON.stringify(answer.errors) }
    : { result: answer.overallResult, ignored: answer.result?.ignoredContextKeys }
  process.stdout.write(JSON.stringify(result) + '\n')
}
