//! What an application uses to emit signals.
