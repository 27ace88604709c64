import { Alert, Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Me } from '../../../schemas/admin.ts'
import { homeOf, useAddress } from '../address.ts'
import { ApiFailure, keepMe, post } from '../api.ts'
import { Gate } from '../parts/gate.tsx'
import { useFailureText } from '../parts/states.tsx'

export function LoginPage() {
  const { t } = useTranslation()
  const failureText = useFailureText()
  const { to } = useAddress()
  const router = useRouter()
  const queries = useQueryClient()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const login = useMutation({
    mutationFn: () => post<Me>('/api/login', { email, password }),
    onSuccess: (me) => {
      queries.setQueryData(['me'], keepMe(me))
      // Only an address of this cockpit: never another site's.
      router.history.push(to?.startsWith('/') && !to.startsWith('//') ? to : homeOf(me.role))
    },
  })
  const { error } = login
  const message =
    error instanceof ApiFailure && error.code === 'WRONG_CREDENTIALS'
      ? t('login.wrong')
      : error instanceof ApiFailure && error.code === 'TOO_MANY_TRIES'
        ? t('login.wait', { minutes: Math.ceil((error.retryAfter ?? 60) / 60) })
        : error && failureText(error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate()
  }
  return (
    <Gate title={t('login.title')} intro={t('login.intro')}>
      <form onSubmit={submit}>
        {message && (
          <Alert color="red" variant="outline" mb="md" role="alert">
            {message}
          </Alert>
        )}
        <TextInput
          label={t('login.email')}
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          mb="sm"
        />
        <PasswordInput
          label={t('login.password')}
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          mb="md"
        />
        <Button type="submit" fullWidth loading={login.isPending}>
          {t('login.submit')}
        </Button>
      </form>
      <p className="quiet" style={{ fontSize: '0.875rem', marginBottom: 0 }}>
        {t('login.help')}
      </p>
    </Gate>
  )
}
