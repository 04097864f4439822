//! Pages of documentation made from a schema, so that they cannot say anything else than the types do.

use serde_json::Value;

/// A table of all fields below `schema`: path, type, whether it must be there, and what it means. `start` stands before
/// each path.
pub fn fields(schema: &Value, start: &str) -> String {
    let mut rows = vec!["| field | value | meaning |".to_owned(), "|---|---|---|".to_owned()];
    let mut walk = Walk { root: schema, rows: &mut rows, open: Vec::new() };
    walk.fields(schema, start);
    rows.join("\n") + "\n"
}

/// The page `docs/manifest.md`.
pub fn manifest() -> String {
    let fields = fields(&crate::schema::stream_job(), "");
    include_str!("reference/manifest.md").replace("{fields}\n", &fields)
}

struct Walk<'a, 'r> {
    root: &'a Value,
    rows: &'r mut Vec<String>,
    /// References that are being written out, so that recursion ends.
    open: Vec<&'a str>,
}

impl<'a> Walk<'a, '_> {
    fn fields(&mut self, schema: &'a Value, path: &str) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut names: Vec<&String> = properties.keys().collect();
        names.sort_by_key(|name| (!required.contains(&name.as_str()), *name));
        for name in names {
            let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.field(&properties[name], &field, required.contains(&name.as_str()));
        }
    }

    fn field(&mut self, schema: &'a Value, path: &str, required: bool) {
        let meaning = text(schema, "description").unwrap_or_default().to_owned();
        let (schema, reference) = self.resolved(schema);
        let meaning =
            if meaning.is_empty() { text(schema, "description").unwrap_or_default().to_owned() } else { meaning };
        let must = if required { ", required" } else { "" };
        let row = format!("| `{path}` | {}{must} | {} |", self.value(schema), meaning.replace('|', "\\|"));
        self.rows.push(row);
        if let Some(name) = reference {
            if self.open.contains(&name) {
                return;
            }
            self.open.push(name);
        }
        self.inside(schema, path);
        if reference.is_some() {
            self.open.pop();
        }
    }

    /// What is below a value: fields, elements, variants.
    fn inside(&mut self, schema: &'a Value, path: &str) {
        self.fields(schema, path);
        if let Some(items) = schema.get("items") {
            let (items, _) = self.resolved(items);
            self.inside(items, &format!("{path}[]"));
        }
        for choice in choices(schema) {
            let (choice, _) = self.resolved(choice);
            self.inside(choice, path);
        }
    }

    /// The type of a value in words.
    fn value(&self, schema: &'a Value) -> String {
        let (schema, _) = self.resolved(schema);
        let mut names: Vec<String> = Vec::new();
        for choice in choices(schema) {
            names.push(self.value(choice));
        }
        if let Some(word) = text(schema, "const") {
            names.push(format!("`{word}`"));
        } else if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            names.extend(words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")));
        } else if names.is_empty() {
            names.extend(self.types(schema));
        }
        names.dedup();
        names.join(" or ")
    }

    fn types(&self, schema: &'a Value) -> Vec<String> {
        let names: Vec<&str> = match &schema["type"] {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            name => name.as_str().into_iter().collect(),
        };
        names.into_iter().map(|name| self.type_in_words(name, schema)).collect()
    }

    fn type_in_words(&self, name: &str, schema: &'a Value) -> String {
        let range = match (schema.get("minimum"), schema.get("maximum")) {
            (Some(least), Some(most)) => format!(", {least} to {most}"),
            (Some(least), None) => format!(", at least {least}"),
            (None, Some(most)) => format!(", at most {most}"),
            (None, None) => String::new(),
        };
        match name {
            "string" => "text".to_owned(),
            "integer" => format!("whole number{range}"),
            "number" => format!("number{range}"),
            "boolean" => "true or false".to_owned(),
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", self.value(items)),
                None => "list".to_owned(),
            },
            "object" => match (schema.get("additionalProperties"), schema["properties"].as_object()) {
                (Some(values), _) if values.is_object() => format!("mapping to {}", self.value(values)),
                (_, Some(fields)) if fields.len() == 1 && schema.get("required").is_some() => {
                    fields.keys().map(|field| format!("`{field}: …`")).collect()
                }
                _ => "mapping".to_owned(),
            },
            other => other.to_owned(),
        }
    }

    fn resolved(&self, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
        let reference = text(schema, "$ref");
        let target = reference.and_then(|target| self.root.pointer(target.strip_prefix('#')?));
        (target.unwrap_or(schema), reference)
    }
}

/// The branches that are whole values of their own, not those that only say which fields must be there.
fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    let branches = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key).and_then(Value::as_array)).flatten();
    branches
        .filter(|branch| branch.get("type").is_some() || branch.get("$ref").is_some() || branch.get("anyOf").is_some())
}

fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}
