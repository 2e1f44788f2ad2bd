// Says of each delivery whether HubSpot's own class accepts its signature, version 3.
//
// Reads lines of JSON, {method, url, body, timestamp, secret, signature, now}, where `now` stands for the time of day,
// and prints one for each, {accepted}. The packages are those of the folder that it is run in.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { Signature } = createRequire(`${process.cwd()}/`)('@hubspot/api-client')

for await (const line of createInterface({ input: process.stdin })) {
  const { method, url, body, timestamp, secret, signature, now } = JSON.parse(line)
  Date.now = () => now
  const delivery = {
    method,
    url,
    requestBody: body,
    timestamp,
    clientSecret: secret,
    signature,
    signatureVersion: 'v3',
  }
  let accepted = false
  try {
    accepted = Signature.isValid(delivery)
  } catch {
    // That is how it says that a timestamp is too old.
  }
  console.log(JSON.stringify({ accepted }))
}
