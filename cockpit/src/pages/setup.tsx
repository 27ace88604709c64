import { Alert, Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Me } from '../../../schemas/admin.ts'
import { homeOf, linkTo, useGo } from '../address.ts'
import { ApiFailure, keepMe, post } from '../api.ts'
import { useFields } from '../fields.ts'
import { Gate } from '../parts/gate.tsx'
import { useFailureText } from '../parts/states.tsx'

export function SetupPage() {
  const { t } = useTranslation()
  const failureText = useFailureText()
  const go = useGo()
  const queries = useQueryClient()
  // After the #: browsers send it to no server and in no Referer.
  const [token] = useState(() => location.hash.slice(1))
  const { form, field } = useFields(
    { name: '', email: '', password: '' },
    {
      required: true,
      withAsterisk: false,
      mb: 'sm',
    },
  )
  const setup = useMutation({
    mutationFn: () => post<Me>('/api/setup', { token, ...form }),
    onSuccess: (me) => {
      queries.setQueryData(['me'], keepMe(me))
      go(homeOf(me.role), {}, { replace: true })
    },
  })
  const code = setup.error instanceof ApiFailure ? setup.error.code : undefined
  const message =
    code === 'INVITATION_INVALID'
      ? t('setup.invalid')
      : code === 'CONFLICT'
        ? t('setup.taken')
        : setup.error && failureText(setup.error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setup.mutate()
  }
  return (
    <Gate title={t('setup.title')} intro={t('login.intro')}>
      {token === '' ? (
        <Alert color="yellow" variant="outline" title={t('setup.missing')}>
          {t('setup.missingText')}
        </Alert>
      ) : (
        <form onSubmit={submit}>
          <p className="quiet" style={{ marginTop: 0 }}>
            {t('setup.intro')}
          </p>
          {message && (
            <Alert color="red" variant="outline" mb="md" role="alert">
              {message}
            </Alert>
          )}
          <TextInput label={t('setup.name')} autoComplete="name" maxLength={120} {...field('name')} />
          <TextInput label={t('setup.email')} type="email" autoComplete="username" {...field('email')} />
          <PasswordInput
            label={t('setup.password')}
            description={t('setup.passwordHint')}
            autoComplete="new-password"
            minLength={12}
            maxLength={256}
            {...field('password')}
          />
          <Button type="submit" fullWidth mt="md" loading={setup.isPending}>
            {t('setup.submit')}
          </Button>
        </form>
      )}
      <p style={{ marginBottom: 0 }}>
        <Link {...linkTo('/login')} style={{ color: 'var(--mantine-color-anchor)' }}>
          {t('setup.toLogin')}
        </Link>
      </p>
    </Gate>
  )
}
