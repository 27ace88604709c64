/** The ways an API asks who is calling, as the code of a new connector spells them. */
export const AUTHS = ['bearer', 'basic', 'header', 'query', 'none'] as const
export type Auth = (typeof AUTHS)[number]

export interface Credentials {
  /** Lines of the settings schema. */
  readonly settings: readonly string[]
  /** Values the sandbox accepts. */
  readonly right: string
  readonly wrong: string
  /** The same as shell variables and lines of anuente.yaml. */
  readonly variables: Readonly<Record<string, string>>
}

const one = (variable: string, field: string, id: string, description: string): Credentials => ({
  settings: [`${field}: Type.String({ secret: true, minLength: 8, description: '${description}' }),`],
  right: `{ ${field}: '${id}-sandbox-token' }`,
  wrong: `{ ${field}: 'some-other-token' }`,
  variables: { [field]: variable },
})

export function credentialsOf(auth: Auth, id: string): Credentials {
  const prefix = id.toUpperCase().replaceAll('-', '_')
  switch (auth) {
    case 'bearer':
      return one(`${prefix}_TOKEN`, 'token', id, 'Access token with the right to write contacts.')
    case 'header':
      return one(`${prefix}_API_KEY`, 'apiKey', id, 'Key of the API, sent in the header X-Api-Key.')
    case 'query':
      return one(`${prefix}_API_KEY`, 'apiKey', id, 'Key of the API, sent in the query.')
    case 'basic':
      return {
        settings: [
          `user: Type.String({ minLength: 1, description: 'User of the API.' }),`,
          `password: Type.String({ secret: true, minLength: 8, description: 'Password of that user.' }),`,
        ],
        right: `{ user: 'anuente', password: '${id}-sandbox-password' }`,
        wrong: `{ user: 'anuente', password: 'some-other-password' }`,
        variables: { user: `${prefix}_USER`, password: `${prefix}_PASSWORD` },
      }
    case 'none':
      return { settings: [], right: '{}', wrong: '{}', variables: {} }
  }
}

/** meu-crm -> Meu Crm. */
export const titleOf = (id: string): string =>
  id
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')

/** meu-crm -> meuCrm. */
export const variableOf = (id: string): string => id.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The settings as anuente.yaml holds them. */
export const yamlSettings = ({ variables }: Credentials): string =>
  `{${Object.entries(variables)
    .map(([field, name]) => `${field}: \${${name}}`)
    .join(', ')}}`
