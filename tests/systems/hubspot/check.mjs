// One call of the client, and what is looked at in its answer.

export function check(holds, what) {
  if (!holds) throw new Error(`expected ${what}`)
}

/** One call: the status that is wanted, and a look at the answer that throws if it is not what HubSpot would say. */
export async function step(call, wanted, ask, look = () => {}) {
  let status = null
  let said
  let detail = ''
  try {
    const answer = await ask()
    status = answer.httpStatusCode ?? null
    said = answer.data
  } catch (error) {
    status = error.code ?? null
    said = error.body
    detail = status === null ? String(error) : `${said?.category}: ${said?.message}`
  }
  let ok = status === wanted
  if (!ok) detail = `expected ${wanted}; ${detail}`
  try {
    if (ok) detail = look(said) ?? detail
  } catch (unlike) {
    ok = false
    detail = unlike.message
  }
  console.log(JSON.stringify({ call, ok, status, detail }))
  return said
}

export const isTime = value => value instanceof Date && !Number.isNaN(value.getTime())

export function isContact(contact) {
  check(/^\d+$/.test(contact.id), 'a number as text for an id')
  check(isTime(contact.createdAt) && isTime(contact.updatedAt), 'the times of a contact')
  check(typeof contact.archived === 'boolean', 'whether it is archived')
  check(contact.properties.hs_object_id === contact.id, 'its id among the properties')
  return contact.id
}

/** What the specification requires of every error. */
export function isRefusal(error) {
  for (const name of ['message', 'category', 'correlationId']) {
    check(typeof error?.[name] === 'string', `a text as ${name} of the error`)
  }
  return `${error.category}: ${error.message}`
}

export function isBatch(batch, results, errors = 0) {
  check(batch.status === 'COMPLETE', 'a batch that is complete')
  check(isTime(batch.startedAt) && isTime(batch.completedAt), 'the times of a batch')
  batch.results.forEach(isContact)
  check(batch.results.length === results, `${results} results, found ${batch.results.length}`)
  check((batch.errors ?? []).length === errors && (batch.numErrors ?? 0) === errors, `${errors} errors`)
  for (const error of batch.errors ?? []) {
    for (const name of ['status', 'category', 'message']) check(typeof error[name] === 'string', `${name} of an error`)
    check(Array.isArray(error.errors) && error.links && error.context, 'all that is required of an error')
  }
}
