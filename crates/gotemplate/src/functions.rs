//! Functions that templates may call.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::value::{Signature, Type, Value};

type Body<'f> = dyn Fn(&[Value]) -> Result<Value, String> + 'f;

/// A function with the types of its arguments.
#[derive(Clone)]
pub struct Function<'f> {
    pub(crate) signature: Signature,
    pub(crate) body: Rc<Body<'f>>,
}

impl fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// Functions by name.
#[derive(Debug, Clone, Default)]
pub struct Functions<'f>(HashMap<&'static str, Function<'f>>);

impl<'f> Functions<'f> {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function, in place of one of that name. It is called only with as many arguments as it takes, of types
    /// that it takes; its error is the reason that follows `error calling NAME: `.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        params: &[Type],
        body: impl Fn(&[Value]) -> Result<Value, String> + 'f,
    ) -> Self {
        let signature = Signature { params: params.to_vec(), is_variadic: false };
        self.0.insert(name, Function { signature, body: Rc::new(body) });
        self
    }

    /// Adds a function whose last argument may be there any number of times.
    #[must_use]
    pub fn with_variadic(
        mut self,
        name: &'static str,
        params: &[Type],
        body: impl Fn(&[Value]) -> Result<Value, String> + 'f,
    ) -> Self {
        let signature = Signature { params: params.to_vec(), is_variadic: true };
        self.0.insert(name, Function { signature, body: Rc::new(body) });
        self
    }

    /// The function of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Function<'f>> {
        self.0.get(name)
    }
}
