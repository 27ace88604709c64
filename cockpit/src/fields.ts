import { useState } from 'react'

/**
 * Texts of a form by name, and what an input of one of them needs.
 * @param look properties that every input of the form has besides.
 */
export function useFields<Form extends Record<string, string>, const Look extends object>(empty: Form, look: Look) {
  const [form, setForm] = useState(empty)
  const set = (name: keyof Form, value: string) => setForm((before) => ({ ...before, [name]: value }))
  const field = (name: keyof Form) => ({
    ...look,
    value: form[name] as string,
    onChange: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
  })
  return { form, set, field }
}
