//! All interceptors.

use crate::catalog::InterceptorType;

/// All interceptors.
pub static TYPES: &[InterceptorType] = &[];

/// Types that only occur inside an interceptor's settings; built by their interceptors.
pub static NESTED: &[flumen_config::ComponentSpec] = &[];
