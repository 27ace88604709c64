/** The OpenAPI 3.1 document of the admin API, made from the very objects that register and guard the routes. */
import { ApiError } from '../../schemas/admin.ts'
import type { AnyRoute } from './admin/route.ts'

type Json = Record<string, unknown>

const EVERYWHERE = [
  {
    status: 400,
    code: 'INVALID',
    when: 'The request does not fit the schema; `path` names the field.',
    needs: 'input',
  },
  { status: 401, code: 'LOGIN_REQUIRED', when: 'No valid session or token.', needs: 'login' },
  {
    status: 403,
    code: 'FORBIDDEN',
    when: 'The role lacks the permission, or x-csrf-token is missing (CSRF_MISMATCH).',
    needs: 'login',
  },
] as const

/** A parameter per property of a query or params schema. */
function parameters(route: AnyRoute): Json[] {
  const list: Json[] = []
  for (const [schema, where] of [
    [route.params, 'path'],
    [route.query, 'query'],
  ] as const) {
    if (!schema) continue
    const required: readonly string[] = schema.required ?? []
    for (const [name, value] of Object.entries(schema.properties as Json)) {
      const { description, ...rest } = plain(value) as Json
      list.push({
        name,
        in: where,
        required: where === 'path' || required.includes(name),
        ...(description ? { description } : {}),
        schema: rest,
      })
    }
  }
  return list
}

/** TypeBox keeps its own marks on schemas as hidden properties; a JSON round trip leaves only JSON Schema. */
function plain(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema))
}

function responses(route: AnyRoute): Json {
  const answers: Json = {
    [String(route.status ?? 200)]: {
      description: 'Done.',
      content: { 'application/json': { schema: plain(route.answer) } },
    },
  }
  const errors = [
    ...EVERYWHERE.filter(({ needs }) =>
      needs === 'input' ? route.body || route.query || route.params : route.permission !== 'public',
    ),
    ...(route.errors ?? []),
  ]
  for (const status of new Set(errors.map((error) => error.status))) {
    answers[String(status)] = {
      description: errors
        .filter((error) => error.status === status)
        .map(({ code, when }) => `${code}: ${when}`)
        .join(' '),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    }
  }
  return answers
}

/** @param routes every route that is registered; streams are described by the caller in `extra`. */
export function openApiDocument(
  routes: readonly AnyRoute[],
  about: { version: string; publicUrl: string },
  extra: Json = {},
): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const operation: Json = {
      operationId: route.operationId,
      tags: [route.tag],
      summary: route.summary,
      'x-permission': route.permission,
      ...(route.query || route.params ? { parameters: parameters(route) } : {}),
      ...(route.body
        ? { requestBody: { required: true, content: { 'application/json': { schema: plain(route.body) } } } }
        : {}),
      responses: responses(route),
      ...(route.permission === 'public' ? { security: [] } : {}),
    }
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Anuente admin API',
      version: about.version,
      description:
        'What the cockpit uses, and nothing it does not. Writes made with the session cookie need the header x-csrf-token; API tokens do not. Times are epoch milliseconds in answers and ISO 8601 in queries. Nothing is coerced: a wrong type is an error.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: about.publicUrl }],
    security: [{ session: [] }, { token: [] }],
    paths: { ...paths, ...extra },
    components: {
      schemas: { Error: plain(ApiError) },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'anuente', description: '__Host-anuente over https.' },
        token: { type: 'http', scheme: 'bearer', description: 'An API token, anu_….' },
      },
    },
  }
}
